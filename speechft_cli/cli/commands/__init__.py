"""One file per command: parse, load the config, call the engine, show its result."""
