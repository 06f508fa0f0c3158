//! The Compute API, tried through the whole router.
