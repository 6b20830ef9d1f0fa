/** What the editor shows at the first visit. */
export const WELCOME = `# Ctrl-Enter runs the operation at the cursor, Ctrl-Space completes names,
# and the book on the left explains every field.

query Tasks {
  tasks(first: 10) {
    totalCount
    nodes { id resourceUrl status progress lastError playbackUrl }
  }
}

mutation Download($input: CreateTaskInput!) {
  createTask(input: $input) {
    task { id status }
    userErrors { code message field }
  }
}

subscription Watch {
  tasksChanged { id status progress bytesPerSecond etaSeconds }
}
`;
