// heal's reporter inside node:test: one record of JSON a line, each with the
// channel's nonce. Node 18.17 or later; loaded by --test-reporter.
//
// A test's blocks are told by nesting: children come before what holds them, so
// names wait until the test at nesting 0 has come.

const nonce = new URL(import.meta.url).searchParams.get('nonce');

const line = (record) => JSON.stringify({ nonce, ...record }) + '\n';

// The innermost cause, and what each knows of values.
const described = (error) => {
  let inner = error;
  for (let depth = 0; depth < 20 && inner && inner.cause instanceof Object; depth += 1) {
    inner = inner.cause;
  }
  const value = (key) => {
    if (!(inner instanceof Object) || !(key in inner) || inner[key] === undefined) return null;
    const it = inner[key];
    if (typeof it === 'string') return it.slice(0, 4000);
    try {
      return (JSON.stringify(it) ?? String(it)).slice(0, 4000);
    } catch {
      return String(it).slice(0, 4000);
    }
  };
  const thrown = inner === error && error?.failureType !== undefined && error.cause !== undefined ? error.cause : inner;
  return {
    stack: String(thrown?.stack ?? thrown?.message ?? thrown ?? '').slice(0, 16000),
    expected: value('expected'),
    actual: value('actual'),
    type: error?.failureType ?? null,
  };
};

export default async function* report(source) {
  // Per file: rows of each nesting that wait for their block.
  const waiting = new Map();
  yield line({ record: 'start' });
  for await (const { type, data } of source) {
    if (type !== 'test:pass' && type !== 'test:fail') continue;
    const file = data.file ?? '';
    const levels = waiting.get(file) ?? [];
    waiting.set(file, levels);
    const inside = levels[data.nesting + 1] ?? [];
    levels[data.nesting + 1] = [];
    const failed = type === 'test:fail';
    const skipped = data.skip !== undefined && data.skip !== false;
    const todo = data.todo !== undefined && data.todo !== false;
    const row = {
      path: [],
      block: data.details?.type === 'suite' || inside.length > 0,
      status: skipped ? 'skipped' : todo ? (failed ? 'todo' : 'passed') : failed ? 'failed' : 'passed',
      seconds: (data.details?.duration_ms ?? 0) / 1000,
      at: data.line ?? null,
      file,
      failure: failed ? described(data.details?.error) : null,
    };
    const rows = [...inside, row];
    for (const each of rows) each.path.unshift(data.name);
    if (data.nesting > 0) {
      levels[data.nesting] = [...(levels[data.nesting] ?? []), ...rows];
      continue;
    }
    for (const each of rows) yield line({ record: 'test', ...each });
  }
  yield line({ record: 'end' });
}
