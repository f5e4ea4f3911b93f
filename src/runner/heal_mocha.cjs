// heal's reporter inside mocha: the document of mocha's own `json` reporter, as
// far as heal reads it, in a file beside this one: mocha's own writes to a file
// since 9.2 only, and to the tests' output before.
//
// Loaded by --reporter, before the files of the tests: the recorder of lines,
// where there is one beside this file, begins here.
'use strict';

const fs = require('fs');
const path = require('path');

// As it is before any test can replace it.
const write = fs.writeFileSync;
const stringify = JSON.stringify;

const text = (value) => {
  if (typeof value === 'string') return value;
  try {
    const told = stringify(value, null, 2);
    return told === undefined ? String(value) : told;
  } catch (_) {
    return String(value);
  }
};

const described = (error) => {
  if (error === null || error === undefined) return { message: String(error) };
  const told = {
    message: String(error.message === undefined ? error : error.message).slice(0, 4000),
    stack: typeof error.stack === 'string' ? error.stack.slice(0, 16000) : undefined,
    name: error.name,
    code: typeof error.code === 'string' ? error.code : undefined,
  };
  if (error instanceof Object && 'actual' in error && 'expected' in error) {
    told.actual = text(error.actual).slice(0, 4000);
    told.expected = text(error.expected).slice(0, 4000);
  }
  return told;
};

const recorder = path.join(__dirname, 'heal_lines.cjs');
let lines;
try {
  if (fs.existsSync(recorder)) lines = require(recorder);
} catch (_) {
  // Written in words that this node does not know.
}

module.exports = function Heal(runner) {
  if (typeof lines === 'function') lines(runner);
  const report = { stats: { suites: 0 }, tests: [], pending: [], failures: [] };
  const errors = new Map();
  // Who throws mocha's own word for a skipped test without asking for it has
  // passed by mocha's count (`Runnable#run`, mocha 12).
  const thrown = new Set();
  runner.on('test', (test) => {
    const fn = test.fn;
    if (typeof fn !== 'function') return;
    test.fn = function (...given) {
      try {
        return fn.apply(this, given);
      } catch (error) {
        thrown.add(test);
        throw error;
      }
    };
  });
  runner.on('pass', (test) => {
    if (thrown.has(test)) report.pending.push(test);
  });
  const row = (test) => ({
    title: test.title,
    fullTitle: test.fullTitle(),
    file: test.file,
    duration: test.duration,
    err: errors.has(test) ? described(errors.get(test)) : {},
  });
  runner.on('suite', () => {
    report.stats.suites += 1;
  });
  runner.on('fail', (test, error) => {
    errors.set(test, error);
    report.failures.push(test);
  });
  runner.on('pending', (test) => report.pending.push(test));
  runner.on('test end', (test) => report.tests.push(test));
  runner.on('end', () => {
    for (const key of ['tests', 'pending', 'failures']) report[key] = report[key].map(row);
    write(path.join(__dirname, 'report.json'), stringify(report));
  });
};
