// node FILE.mjs SCENARIO BASE_URL KEY: runs one scenario and prints what it saw as one line of JSON.
export async function run(scenarios) {
  const [name, base, key] = process.argv.slice(2);
  let out;
  try {
    out = await scenarios[name](base, key);
  } catch (e) {
    out = {
      thrown: e.constructor.name, message: e.message, status: e.status ?? e.statusCode, code: e.code, type: e.type,
      requestID: e.requestID, error: e.error, cause: e.lastError?.message,
    };
  }
  console.log(JSON.stringify(out));
  process.exit(0);
}

export const USER = [{role: 'user', content: '你好'}];
