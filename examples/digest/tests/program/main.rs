//! Runs the program on small trees, and compares it with coreutils where these are installed.

#![forbid(unsafe_code)]

mod check;
mod list;
mod support;
mod surroundings;
