// The introspection queries that graphql-js can make: node introspection.mjs. Prints those
// with no option, with all, with each alone, and with all but each.
import { getIntrospectionQuery } from "graphql";

const options = [
  "descriptions",
  "specifiedByUrl",
  "directiveIsRepeatable",
  "schemaDescription",
  "inputValueDeprecation",
  "experimentalDirectiveDeprecation",
  "oneOf",
];
const queries = new Set();
for (const rest of [false, true]) {
  for (const chosen of [null, ...options]) {
    const query = Object.fromEntries(options.map((name) => [name, name === chosen ? !rest : rest]));
    queries.add(getIntrospectionQuery(query));
  }
}
console.log(JSON.stringify([...queries]));
