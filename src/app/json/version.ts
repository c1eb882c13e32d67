/**
 * Of the documents that --json prints (docs/json.schema.json). Additions do not increase it; changes and removals do.
 */
export const formatVersion = 2;
