//! Dead letters (in the making).
