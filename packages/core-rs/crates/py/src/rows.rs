//! From the columns of a result to objects.
pub mod class_attribute;
pub mod column_fit;
pub mod columns;
pub mod frame;
pub mod load_plan;
pub mod model;
pub mod plain_rows;
