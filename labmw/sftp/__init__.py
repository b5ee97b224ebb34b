"""Files over SSH: the only place that knows asyncssh."""
