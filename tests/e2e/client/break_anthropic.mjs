// One stream with the Anthropic package: prints what was read and what was thrown.
import Anthropic from "@anthropic-ai/sdk";

const client = new Anthropic({ baseURL: process.argv[2].replace(/\/v1$/, ""), apiKey: "none", maxRetries: 0 });
const seen = { text: "", error: null };
try {
  const stream = await client.messages.create({
    model: "Qwen/Qwen3-8B", max_tokens: 50, stream: true, messages: [{ role: "user", content: "hi" }],
  });
  for await (const event of stream) {
    if (event.type === "content_block_delta") seen.text += event.delta.text ?? "";
  }
} catch (e) {
  seen.error = String(e.message);
}
console.log(JSON.stringify(seen));
