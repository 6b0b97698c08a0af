//! The journal's formats and checks, from outside.

#[cfg(test)]
mod chain;
#[cfg(test)]
mod flipped;
#[cfg(test)]
mod frame;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod samples;
