"""An optional input changes what is computed."""
