//! placing tests
