"""What people preprocess with: decoders and resizers of other libraries, each against the reference."""
