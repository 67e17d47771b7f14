// A reasoning alias as real clients read it: text and ends of streams and plain answers, tool calls, and what is thrown.
import OpenAI from 'openai';
import {createOpenAICompatible} from '@ai-sdk/openai-compatible';
import {generateText, jsonSchema, streamText, tool} from 'ai';

const [, , scenario, baseURL, model] = process.argv;
const client = new OpenAI({baseURL, apiKey: 'none', maxRetries: 0});
const provider = createOpenAICompatible({name: 'sfproxy', baseURL, apiKey: 'none', includeUsage: true});
const messages = [{role: 'user', content: 'hi'}];
const parameters = {type: 'object', properties: {location: {type: 'string'}}};
const tools = [{type: 'function', function: {name: 'get_current_weather', parameters}}];

const scenarios = {
  async openaiStream() {
    const done = await client.chat.completions.stream({model, messages}).finalChatCompletion();
    return {text: done.choices[0].message.content, finish: done.choices[0].finish_reason, model: done.model};
  },
  async openaiPlain() {
    const done = await client.chat.completions.create({model, messages});
    return {text: done.choices[0].message.content, finish: done.choices[0].finish_reason, model: done.model};
  },
  async openaiTools() {
    const done = await client.chat.completions.stream({model, messages, tools}).finalChatCompletion();
    const call = done.choices[0].message.tool_calls[0].function;
    return {name: call.name, location: JSON.parse(call.arguments).location, finish: done.choices[0].finish_reason};
  },
  async openaiBroken() {
    const seen = {text: '', error: null};
    try {
      const stream = await client.chat.completions.create({model, messages, stream: true});
      for await (const chunk of stream) seen.text += chunk.choices[0]?.delta?.content ?? '';
    } catch (e) {
      seen.error = String(e.message);
    }
    return seen;
  },
  async aiStream() {
    const result = streamText({model: provider(model), messages});
    let text = '';
    for await (const delta of result.textStream) text += delta;
    return {text, finish: await result.finishReason, reasoning: await result.reasoningText,
      tokens: (await result.usage).outputTokens};
  },
  async aiPlain() {
    const {text, finishReason, reasoningText, usage} = await generateText({model: provider(model), messages});
    return {text, finish: finishReason, reasoning: reasoningText, tokens: usage.outputTokens};
  },
  async aiTools() {
    const weather = tool({description: 'w', inputSchema: jsonSchema(parameters)});
    const result = streamText({model: provider(model), messages, tools: {get_current_weather: weather}});
    await result.consumeStream();
    const [call] = await result.toolCalls;
    return {name: call.toolName, location: call.input.location, finish: await result.finishReason};
  },
  async aiBroken() {
    const seen = {text: '', error: null};
    try {
      const result = streamText({model: provider(model), messages, maxRetries: 0, onError: () => {}});
      for await (const part of result.fullStream) {
        if (part.type === 'text-delta') seen.text += part.text;
        if (part.type === 'error') seen.error ??= String(part.error?.message ?? part.error);
      }
    } catch (e) {
      seen.error ??= String(e.message);
    }
    return seen;
  },
};
console.log(JSON.stringify(await scenarios[scenario]()));
