// PostGraphile as its makers set it up, with the same check of the token as the service: HS256, exp, user_id.
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";
import { grafserv } from "postgraphile/grafserv/node";
import { makePgService } from "postgraphile/adaptors/pg";
import { PostGraphileAmberPreset } from "postgraphile/presets/amber";
import { postgraphile } from "postgraphile";

const [, , port, connectionString, secret] = process.argv;

function userOf(authorization) {
  const [head, payload, signature] = (authorization ?? "").replace(/^Bearer /, "").split(".");
  const wanted = createHmac("sha256", secret).update(`${head}.${payload}`).digest();
  const given = Buffer.from(signature ?? "", "base64url");
  if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) throw new Error("Forbidden");
  const claims = JSON.parse(Buffer.from(payload, "base64url"));
  if (claims.exp <= Date.now() / 1000) throw new Error("Expired");
  return claims.user_id;
}

const preset = {
  extends: [PostGraphileAmberPreset],
  pgServices: [makePgService({ connectionString, schemas: ["public"] })],
  grafserv: { graphiql: false, watch: false },
  grafast: {
    context: ({ node }) => ({ userId: userOf(node?.req.headers.authorization) }),
  },
};

const pgl = postgraphile(preset);
const server = createServer();
server.on("error", (error) => { console.error(error); process.exit(1); });
await pgl.createServ(grafserv).addTo(server);
server.listen(Number(port), "127.0.0.1");
