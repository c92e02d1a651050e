//! The rules of the house, which no compiler checks, and traceability: what is claimed has a name, a place and a test.
//!
//! | file | rule |
//! |---|---|
//! | [`features`] | the twin packages have the features of the crate, and are run by default |
//! | [`floors`] | imports in `src` never run upward, and in no circle |
//! | [`statics`] | nothing in `src` leaks from one modelled schedule to the next; `SeqCst` is for fences |
//! | [`orderings`] | each atomic operation says what it pairs with, and the pair is in an ordering table |
//! | [`invariants`] | each invariant is listed, checked and cited |
//! | [`killers`] | each invariant is killed by a seeded bug or an ordering mutant; layers of checks are listed everywhere |
//! | [`pages`] | links of the documentation lead somewhere; each page is reached, mounted, and says what checks it |
//! | [`quoted`] | tests, models, files and items that a page names exist |
//! | [`commands`] | commands that a page shows exist |
//! | [`figures`] | each picture, and each table of measurements, has the command that makes it |
//!
//! Each rule is a function from texts to a list of complaints. It is applied to the tree, where it must find nothing, and
//! to planted texts, where it must find what was planted: a rule that cannot complain is no rule.
//!
//! Sources are read by the compiler's own lexer ([`source`]), so that comments, strings and macro bodies are told apart. A
//! parser of expressions would be blind inside of macros, where much of what is looked for stands. Pages are read by a
//! parser of Markdown ([`markdown`]).

mod commands;
mod features;
mod figures;
mod floors;
mod invariants;
mod killers;
mod markdown;
mod orderings;
mod pages;
mod quoted;
mod source;
mod statics;
