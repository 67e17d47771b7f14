// One stream with the openai package: prints what was read and what was thrown.
import OpenAI from "openai";

const client = new OpenAI({ baseURL: process.argv[2], apiKey: "none", maxRetries: 0 });
const seen = { text: "", error: null };
try {
  const stream = await client.chat.completions.create({
    model: "Qwen/Qwen3-8B", stream: true, messages: [{ role: "user", content: "hi" }],
  });
  for await (const chunk of stream) seen.text += chunk.choices[0]?.delta?.content ?? "";
} catch (e) {
  seen.error = String(e.message);
}
console.log(JSON.stringify(seen));
