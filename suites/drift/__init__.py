"""The drift audit: where in a model a cell's error arises, why, and which inputs make it worst."""
