import Anthropic from '@anthropic-ai/sdk';
import {run, USER} from './run.mjs';

const MODEL = 'Qwen/Qwen3-8B', REASONS = 'deepseek-ai/DeepSeek-R1';
const TOOLS = [{name: 'get_weather', input_schema: {type: 'object', properties: {location: {type: 'string'}}}}];
const ASK = {model: MODEL, max_tokens: 100, messages: USER};
const client = (baseURL, apiKey) => new Anthropic({baseURL, apiKey});

await run({
  async message(base, key) {
    return await client(base, key).messages.create({...ASK, model: REASONS});
  },

  async bearer(base, key) {  // what Claude Code does with ANTHROPIC_AUTH_TOKEN
    const anthropic = new Anthropic({baseURL: base, authToken: key, apiKey: null});
    return await anthropic.beta.messages.create({...ASK, betas: ['tools-2024-04-04']});
  },

  async stream(base, key) {
    const types = [];
    const stream = client(base, key).messages.stream({...ASK, model: REASONS});
    stream.on('streamEvent', event => types.push(event.type));
    return {types, message: await stream.finalMessage()};
  },

  async tools(base, key) {
    return await client(base, key).messages.stream({...ASK, tools: TOOLS}).finalMessage();
  },

  async plainError(base, key) {
    return await client(base, key).messages.create(ASK);
  },

  async streamError(base, key) {
    const out = {events: 0};
    try {
      for await (const _ of await client(base, key).messages.create({...ASK, stream: true})) out.events++;
    } catch (e) {
      return {...out, thrown: e.constructor.name, message: e.message, error: e.error};
    }
    return out;
  },
});
