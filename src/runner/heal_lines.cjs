// heal's recorder of lines: what of the repository's sources each test executes,
// by V8's own coverage, for mocha, node:test, jest and vitest. It serves to find
// the fault, so it gives up wherever it cannot tell, and never changes a test.
//
// Loaded by heal_mocha.cjs, or by --require in NODE_OPTIONS, which reaches every
// node there is: all but those that run tests go on as if it were not there. It
// knows where each runner's tests begin and end; heal_lines_recorder.cjs takes
// what ran in between. What it has to know stands in heal_lines.json.
'use strict';

const path = require('path');
const url = require('url');
const { readFileSync } = require('fs');
const { parse } = JSON;

// What does nothing when it fails.
const safe = (inner) =>
  function (...given) {
    try {
      return inner.apply(this, given);
    } catch (_) {
      return undefined;
    }
  };

// The programs that tests start, and the tests, see the options without ours.
const unmask = (env) => {
  // Newer node repeats them to the files of its tests.
  const at = process.execArgv.findIndex((word) => /^--require=.*heal_lines\.cjs$/.test(word));
  if (at >= 0) process.execArgv.splice(at, 1);
  const ours = /\s*(--require=(\S|\\ )*heal_lines\.cjs|--require="[^"]*heal_lines\.cjs"|"--require=[^"]*heal_lines\.cjs")/;
  if (!env || typeof env.NODE_OPTIONS !== 'string') return;
  const left = env.NODE_OPTIONS.replace(ours, '').trim();
  if (left === '') delete env.NODE_OPTIONS;
  else env.NODE_OPTIONS = left;
};

// A test lasts from before its `beforeEach` hooks until after its `afterEach`
// hooks, which come between `test end` and the next event.
const mocha = (lines) => (runner) => {
  // Parallel: the tests are elsewhere.
  if (typeof runner.isParallelMode === 'function' && runner.isParallelMode()) return;
  let last = null;
  const close = safe(() => {
    const test = last;
    last = null;
    if (test) lines.end(test, test.file, test.fullTitle());
    return test !== null;
  });
  runner.on('test', (test) => {
    const straight = close();
    last = test;
    lines.start(test, straight);
  });
  runner.on('hook', (hook) => {
    if (/^"(before|after) all"/.test(hook.title)) close();
  });
  for (const event of ['suite', 'suite end', 'end']) runner.on(event, close);
};

// The names of a test and of what holds it, but of the outermost.
const title = (test) => {
  const names = [];
  for (let it = test; it && it.parent; it = it.parent) names.unshift(it.name);
  return names.join(' ');
};

// In the process of a test file. The first test, which holds all others, shows
// itself as an asynchronous resource, and by it the class whose methods begin
// and end tests. To register hooks instead would start the runner in a file
// that has no test, or fails before its first.
const node = (lines) => {
  const { createHook } = require('async_hooks');
  const watch = safe((Test) => {
    const { getRunArgs, postRun } = Test;
    if (typeof getRunArgs !== 'function' || typeof postRun !== 'function') return;
    const is = (test) => test.parent && !test.hookType && test.reportedType !== 'suite' && !test.skipped;
    const started = new WeakSet();
    // Asked for as it starts; `run` would stand in the stacks of its failures.
    Test.getRunArgs = function () {
      if (is(this) && !started.has(this)) {
        started.add(this);
        lines.start(this);
      }
      return getRunArgs.apply(this, arguments);
    };
    Test.postRun = function () {
      safe(() => is(this) && lines.end(this, (this.loc && this.loc.file) || process.argv[1], title(this)))();
      lines.drop(this);
      return postRun.apply(this, arguments);
    };
  });
  const hook = createHook({
    init(_id, type, _trigger, resource) {
      if (type !== 'Test') return;
      let found = Object.getPrototypeOf(resource);
      while (found && !Object.prototype.hasOwnProperty.call(found, 'createSubtest')) found = Object.getPrototypeOf(found);
      if (!found) return;
      hook.disable();
      watch(found);
    },
  });
  hook.enable();
};

// The function that runs a test file is loaded outside of the tests' realm, and
// is given the environment, which circus tells of each step.
const jest = (begin) => {
  const Module = require('module');
  const load = Module._load;
  const circus = /(^|[\\/])jest-circus[\\/](build[\\/])?runner(\.js)?$/;
  const watched = new WeakMap();
  let lines;
  const attach = safe((environment, file) => {
    const own = environment.handleTestEvent;
    lines.renew();
    unmask(environment.global && environment.global.process && environment.global.process.env);
    let straight = false;
    let next = null;
    const note = safe(({ name, test }) => {
      // What follows tells whether it runs.
      const begins = next;
      next = name === 'test_start' ? test : null;
      if (begins && name !== 'test_skip' && name !== 'test_todo') {
        lines.start(begins, straight);
        straight = false;
      }
      if (name === 'test_done') {
        lines.end(test, file, title(test));
        straight = true;
      } else if (name === 'hook_start') {
        straight = false;
      }
    });
    environment.handleTestEvent = function (event) {
      note(event);
      return typeof own === 'function' ? own.apply(environment, arguments) : undefined;
    };
  });
  const adapter = (run) => {
    if (!watched.has(run)) {
      watched.set(run, function (_global, _config, environment, _runtime, file) {
        attach(environment, file);
        return run.apply(this, arguments);
      });
    }
    return watched.get(run);
  };
  const watch = safe((loaded) => {
    const run = loaded && (loaded.default || loaded);
    if (typeof run !== 'function') return loaded;
    lines = lines || begin();
    unmask(process.env);
    return run === loaded ? adapter(run) : { __esModule: true, ...loaded, default: adapter(run) };
  });
  Module._load = function (request) {
    const loaded = load.apply(this, arguments);
    return typeof request === 'string' && circus.test(request) ? watch(loaded) || loaded : loaded;
  };
};

// In a worker. Its globals are set before any test's file is loaded, and this
// one by a plain assignment: from there on its runner's class can be loaded,
// whose hooks for runners of one's own tell where tests begin and end.
const vitest = (begin) => {
  unmask(process.env);
  let lines;
  const full = (test) => {
    const names = [];
    for (let it = test; it && it !== test.file && it.filepath === undefined; it = it.suite) if (it.name) names.unshift(it.name);
    return names.join(' ');
  };
  const instances = new WeakSet();
  const seen = safe((runner) => {
    if (instances.has(runner)) return;
    instances.add(runner);
    const after = runner.onAfterRunTask;
    runner.onAfterRunTask = function (test) {
      safe(() => lines.end(test, test.file.filepath, full(test)))();
      return after ? after.apply(this, arguments) : undefined;
    };
  });
  const watch = (Runner) => {
    if (typeof Runner !== 'function' || !Runner.prototype || typeof Runner.prototype.onBeforeRunTask !== 'function') return false;
    const before = Runner.prototype.onBeforeRunTask;
    Runner.prototype.onBeforeRunTask = function (test) {
      seen(this);
      if (test.mode === 'run' || test.mode === 'queued') lines.start(test);
      return before.apply(this, arguments);
    };
    return true;
  };
  const name = '__vitest_required__';
  const reached = safe(() => {
    const folder = /(?:file:\/\/)?(\/[^\n]*?|[A-Za-z]:[^\n]*?)[\\/]vitest[\\/]dist[\\/]/.exec(new Error().stack.replace(/^.*heal_lines.*$/gm, ''));
    if (!folder) return;
    lines = begin();
    const place = (file) => import(url.pathToFileURL(path.join(decodeURIComponent(folder[1]), 'vitest', 'dist', file)).href);
    // Newer ones export it from the first only, and warn in the second.
    place('index.js')
      .then((loaded) => watch(loaded.TestRunner) || place('runners.js').then((older) => watch(older.VitestTestRunner)))
      .catch(() => {});
  });
  // Not its own property: those are copied to the realms of a `vm` pool.
  const above = Object.getPrototypeOf(globalThis);
  if (above === Object.prototype) return;
  Object.defineProperty(above, name, {
    configurable: true,
    get: () => undefined,
    set(value) {
      delete above[name];
      Object.defineProperty(this, name, { value, configurable: true, enumerable: true, writable: true });
      reached();
    },
  });
};

safe(() => {
  const { isMainThread, threadId } = require('worker_threads');
  // Coverage of the project's own would count what is taken here.
  if (parseInt(process.versions.node, 10) < 16 || process.env.NODE_V8_COVERAGE) return;
  const settings = parse(readFileSync(path.join(__dirname, 'heal_lines.json'), 'utf8'));
  const begin = () => require('./heal_lines_recorder.cjs')(settings, threadId, safe);
  if (settings.runner === 'mocha') {
    module.exports = mocha(begin());
  } else if (settings.runner === 'node') {
    const options = process.execArgv.join(' ');
    const asked = /(^| )--test( |$)/.test(options);
    const here = asked && /--(experimental-)?test-isolation[= ]none/.test(options);
    const child = !asked && /^child/.test(process.env.NODE_TEST_CONTEXT || '');
    if (!isMainThread || !(here || child)) return;
    unmask(process.env);
    node(begin());
  } else if (settings.runner === 'jest') {
    // What starts the tests, or only compiles them.
    const other = /[\\/]node_modules[\\/](\.bin[\\/])?(npm|npx|yarn|pnpm|corepack|typescript|tsc)\b[^\\/]*([\\/](bin|lib|dist)[\\/][^\\/]*)?$/;
    if (!other.test(process.argv[1] || '')) jest(begin);
  } else if (settings.runner === 'vitest') {
    // A thread does not know its script yet.
    if (!isMainThread || /[\\/](tinypool|vitest)[\\/]dist[\\/]/.test(process.argv[1] || '')) vitest(begin);
  }
})();
