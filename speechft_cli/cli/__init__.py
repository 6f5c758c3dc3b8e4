"""The command line: parsing, prompts and display. All work is done by the engines."""
