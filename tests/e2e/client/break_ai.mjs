// One stream with the ai package: prints what was read and the error part of the stream.
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { streamText } from "ai";

const provider = createOpenAICompatible({ name: "sfproxy", baseURL: process.argv[2], apiKey: "none" });
const seen = { text: "", error: null };
try {
  const result = streamText({
    model: provider("Qwen/Qwen3-8B"), prompt: "hi", maxRetries: 0, onError: () => {},
  });
  for await (const part of result.fullStream) {
    if (part.type === "text-delta") seen.text += part.text;
    if (part.type === "error") seen.error ??= String(part.error?.message ?? part.error);
  }
} catch (e) {
  seen.error ??= String(e.message); // the connection breaks after the event that says why
}
console.log(JSON.stringify(seen));
