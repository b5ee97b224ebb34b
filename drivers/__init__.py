"""One file per analyzer family, each holding one value named DRIVER."""
