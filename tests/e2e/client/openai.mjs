import OpenAI, {toFile} from 'openai';
import {run, USER} from './run.mjs';

globalThis.File ??= (await import('node:buffer')).File;  // node 18 has it, but not as a global

const MODEL = 'Qwen/Qwen3-8B';
const TOOLS = [{
  type: 'function',
  function: {name: 'get_current_weather', parameters: {type: 'object', properties: {location: {type: 'string'}}}},
}];
// Retries are left at the SDK's default (2): that there are none is for the proxy's x-should-retry to say.
const client = (baseURL, apiKey) => new OpenAI({baseURL, apiKey});

await run({
  async chat(base, key) {
    const asked = client(base, key).chat.completions.create({model: MODEL, messages: USER});
    const {data, response} = await asked.withResponse();
    return {text: data.choices[0].message.content, finish: data.choices[0].finish_reason, usage: data.usage,
      requestId: data._request_id, trace: response.headers.get('x-siliconcloud-trace-id')};
  },

  async stream(base, key) {
    const stream = await client(base, key).chat.completions.create(
        {model: 'deepseek-ai/DeepSeek-R1', messages: USER, stream: true, stream_options: {include_usage: true}});
    const out = {text: '', reasoning: '', chunks: 0};
    for await (const chunk of stream) {
      const choice = chunk.choices[0];
      out.chunks++;
      out.text += choice?.delta.content ?? '';
      out.reasoning += choice?.delta.reasoning_content ?? '';
      out.finish = choice?.finish_reason ?? out.finish;
      out.usage = chunk.usage ?? out.usage;
    }
    return out;
  },

  async tools(base, key) {
    const openai = client(base, key);
    const first = await openai.chat.completions.create({model: MODEL, messages: USER, tools: TOOLS});
    const message = first.choices[0].message;
    const second = await openai.chat.completions.create({model: MODEL, tools: TOOLS, messages: [
      ...USER, message, {role: 'tool', tool_call_id: message.tool_calls[0].id, content: '晴'}]});
    return {call: message.tool_calls[0].function, finish: first.choices[0].finish_reason,
      text: second.choices[0].message.content};
  },

  async toolsStream(base, key) {
    const runner = client(base, key).chat.completions.stream({model: MODEL, messages: USER, tools: TOOLS});
    const done = await runner.finalChatCompletion();
    const f = done.choices[0].message.tool_calls[0].function;
    return {call: {name: f.name, arguments: f.arguments}, finish: done.choices[0].finish_reason};
  },

  async abort(base, key) {
    const stream = await client(base, key).chat.completions.create({model: MODEL, messages: USER, stream: true});
    let chunks = 0;
    for await (const _ of stream) if (++chunks === 3) break;
    return {chunks, aborted: stream.controller.signal.aborted};
  },

  async abortWaiting(base, key) {
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 300);
    return await client(base, key).chat.completions.create({model: MODEL, messages: USER}, {signal: controller.signal});
  },

  async embeddings(base, key) {
    const openai = client(base, key), input = ['一', '二', '三'];
    const floats = await openai.embeddings.create({model: 'BAAI/bge-m3', input, encoding_format: 'float'});
    const standard = await openai.embeddings.create({model: 'BAAI/bge-m3', input});  // base64 on the wire
    const base64 = await openai.embeddings.create({model: 'BAAI/bge-m3', input, encoding_format: 'base64'});
    return {floats: floats.data.map(d => d.embedding), standard: standard.data.map(d => Array.from(d.embedding)),
      base64: base64.data.map(d => d.embedding), usage: floats.usage};
  },

  async image(base, key) {
    const answer = await client(base, key).images.generate({model: 'Kwai-Kolors/Kolors', prompt: '猫'});
    return {url: answer.data[0].url};
  },

  async images(base, key) {
    const answer = await client(base, key).images.generate(
        {model: 'Kwai-Kolors/Kolors', prompt: '猫', n: 3, size: '1024x1024', quality: 'hd', response_format: 'b64_json', user: 'u'});
    return {created: answer.created, data: answer.data};
  },

  async imageChat(base, key) {
    const stream = await client(base, key).chat.completions.create(
        {model: 'Kwai-Kolors/Kolors', messages: [{role: 'user', content: '猫'}], stream: true});
    let text = '', finish = null;
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta?.content ?? '';
      finish = chunk.choices[0]?.finish_reason ?? finish;
    }
    return {text, finish};
  },

  async speech(base, key) {
    const answer = await client(base, key).audio.speech.create(
        {model: 'FunAudioLLM/CosyVoice2-0.5B', voice: 'FunAudioLLM/CosyVoice2-0.5B:alex', input: '你好'});
    const bytes = Buffer.from(await answer.arrayBuffer());
    return {type: answer.headers.get('content-type'), base64: bytes.toString('base64')};
  },

  async transcription(base, key) {
    const file = await toFile(Buffer.alloc(123457, '\r\n--'), 'sound.wav');
    return await client(base, key).audio.transcriptions.create({model: 'FunAudioLLM/SenseVoiceSmall', file});
  },

  async models(base, key) {
    const openai = client(base, key), ids = [];
    for await (const model of openai.models.list()) ids.push(model.id);
    const one = await openai.models.retrieve(MODEL);
    return {ids, one};
  },

  async modelUnknown(base, key) {
    return await client(base, key).models.retrieve('nobody/knows-this');
  },

  async completions(base, key) {
    const openai = client(base, key);
    const plain = await openai.completions.create({model: MODEL, prompt: 'def f('});
    let text = '';
    for await (const part of await openai.completions.create({model: MODEL, prompt: 'def f(', stream: true}))
      text += part.choices[0].text;
    return {plain: plain.choices[0].text, stream: text};
  },

  async plainError(base, key) {
    return await client(base, key).chat.completions.create({model: MODEL, messages: USER});
  },

  async streamError(base, key) {
    const out = {chunks: 0};
    const stream = await client(base, key).chat.completions.create({model: MODEL, messages: USER, stream: true});
    try {
      for await (const _ of stream) out.chunks++;
    } catch (e) {
      return {...out, thrown: e.constructor.name, message: e.message, code: e.code};
    }
    return out;
  },
});
