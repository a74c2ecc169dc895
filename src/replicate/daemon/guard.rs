//! What a replica does not do without being told to: a mistake on the primary must not empty every replica.

use crate::kuma::{Changes, Dump};

/// A table with fewer rows may be emptied: to take away the last proxy is an everyday edit.
const EMPTIED_AT_LEAST_ROWS: usize = 3;

/// Why these changes to `local` are held back, in words; none: they are not.
pub(super) fn mass_delete(local: &Dump, changes: &Changes) -> Option<String> {
    let mut reasons = Vec::new();
    for table in &changes.tables {
        let name = table.spec.name;
        let before = local.table(name).map_or(0, |table| table.rows.len());
        let deleted = table.rows.iter().filter(|row| row.new.is_none()).count();
        let added = table.rows.iter().filter(|row| row.old.is_none()).count();
        if name == "monitor" && deleted * 2 > before {
            reasons.push(format!("{deleted} of {before} monitors would be deleted"));
        } else if before >= EMPTIED_AT_LEAST_ROWS && deleted == before && added == 0 {
            reasons.push(format!("all {before} rows of table {name} would be deleted"));
        }
    }
    (!reasons.is_empty()).then(|| reasons.join(", "))
}
