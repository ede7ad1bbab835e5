//! What is counted equals what happened.

mod overview;
