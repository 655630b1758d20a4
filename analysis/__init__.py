"""The desk: arrays and frames in, frozen results out. No I/O, no clock, no printing."""
