import type { CodegenConfig } from "@graphql-codegen/cli";

/** The types of every operation in the page, from the schema that the service prints. */
export default {
  schema: "../../schema.graphql",
  documents: "src/downloads/operations.graphql",
  generates: {
    "src/gql/": {
      preset: "client",
      presetConfig: { fragmentMasking: false },
      config: {
        documentMode: "string",
        useTypeImports: true,
        enumsAsTypes: true,
        strictScalars: true,
        scalars: { BigInt: "number", DateTime: "string" },
      },
    },
  },
} satisfies CodegenConfig;
