"""The one config model that every command reads."""
