//! Property tests of the protocols, and what they share.
