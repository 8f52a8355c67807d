//! One integration binary: modules against fakes, whole scenarios, and the binary against real
//! parts.

mod parts;
