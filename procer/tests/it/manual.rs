//! Chapter 4 of the original's manual, by its printed steps.
