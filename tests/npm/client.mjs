// What the graphql-ws client sees: node client.mjs URL '{"token": …, "operations": [{"query": …, "variables": …}]}'
// Prints the results of each operation, and what the last one failed with. An operation that another one comes
// "meanwhile" has it run at its first result.
import { createClient } from "graphql-ws";

const [url, request] = process.argv.slice(2);
const { token, operations } = JSON.parse(request);
const client = createClient({ url, connectionParams: { Authorization: `Bearer ${token}` }, retryAttempts: 0 });
const told = [];

try {
  for (const operation of operations) {
    const results = [];
    told.push(results);
    for await (const result of client.iterate(operation)) {
      results.push(result);
      if (operation.meanwhile && results.length === 1) {
        for await (const other of client.iterate(operation.meanwhile)) results.push(other);
      }
    }
  }
  console.log(JSON.stringify({ told }));
} catch (error) {
  console.log(JSON.stringify({ told, code: error.code, reason: error.reason, errors: error }));
} finally {
  await client.dispose();
}
