import {createOpenAICompatible} from '@ai-sdk/openai-compatible';
import {embedMany, generateText, jsonSchema, stepCountIs, streamText, tool} from 'ai';
import {run} from './run.mjs';

const MODEL = 'Qwen/Qwen3-8B', prompt = '你好';
const provider = (baseURL, apiKey) => createOpenAICompatible({name: 'sfproxy', baseURL, apiKey, includeUsage: true});
const weather = tool({
  description: 'the weather',
  inputSchema: jsonSchema({type: 'object', properties: {location: {type: 'string'}}, required: ['location']}),
  execute: async ({location}) => `${location}: 晴`,
});

await run({
  async generate(base, key) {
    const {text, usage, finishReason} = await generateText({model: provider(base, key)(MODEL), prompt});
    return {text, usage, finishReason};
  },

  async stream(base, key) {
    const result = streamText({model: provider(base, key)('deepseek-ai/DeepSeek-R1'), prompt});
    const out = {text: '', deltas: 0};
    for await (const delta of result.textStream) {
      out.deltas++;
      out.text += delta;
    }
    return {...out, reasoning: await result.reasoningText, usage: await result.usage,
      finish: await result.finishReason};
  },

  async tools(base, key) {
    const {text, steps} = await generateText(
        {model: provider(base, key)(MODEL), prompt, tools: {get_current_weather: weather}, stopWhen: stepCountIs(3)});
    return {text, results: steps[0].toolResults.map(r => r.output), steps: steps.length};
  },

  async embeddings(base, key) {
    const model = provider(base, key).textEmbeddingModel('BAAI/bge-m3');
    const {embeddings} = await embedMany({model, values: ['一', '二']});
    return {embeddings};
  },

  async error(base, key) {
    return await generateText({model: provider(base, key)(MODEL), prompt, maxRetries: 0});
  },
});
