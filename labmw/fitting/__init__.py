"""How is each part of the laboratory built from the configuration? `labmw.app` puts them together and runs them."""
