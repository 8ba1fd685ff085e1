//! What a consumer has to know of a request before it follows it: its columns and what identifies a row.

use watershed_sinks::Shape;

use super::{Engine, Problem, Request};

impl Engine {
    /// Columns and key of a request that is one statement and can be kept up.
    pub(crate) fn shape(&self, request: &Request) -> Result<Shape, Problem> {
        let resolved = self.resolve(request)?;
        let [table] = resolved.tables.as_slice() else {
            let message = format!("a sink follows one statement, this script has {}", resolved.tables.len());
            return Err(Problem::Invalid { field: "script", message });
        };
        let name = resolved.name_of(table);
        let plan =
            watershed_query::lower(&self.catalog, table).map_err(|refusal| Problem::of_refusal(&name, refusal))?;
        let schema = std::sync::Arc::clone(&plan.root.schema);
        let key = plan.key.iter().flatten().filter_map(|&at| schema.fields().get(at)).map(|field| field.name().clone());
        Ok(Shape { view: name, key: key.collect(), schema, append: false })
    }
}
