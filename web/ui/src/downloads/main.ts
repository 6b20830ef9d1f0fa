import { takeToken } from "../token";

takeToken();
const link = document.createElement("a");
link.href = "./graphql";
link.textContent = "GraphiQL";
document.querySelector("#downloads")?.append(link);
