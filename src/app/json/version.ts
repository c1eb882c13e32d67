/** Of the documents that --json prints (docs/json.schema.json). What is added to them does not count it up; what is changed or taken away does. */
export const formatVersion = 1;
