//! From the columns of a result to objects.
pub mod class_attribute;
pub mod columns;
pub mod load_plan;
pub mod model;
