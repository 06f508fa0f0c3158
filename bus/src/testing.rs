//! A private broker.
