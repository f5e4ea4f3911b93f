// The recorder itself: coverage as V8 takes it, by lines of the sources.
//
// Loaded by heal_lines.cjs, in processes that run tests, before any of them. What
// it gives says where a test begins and ends; a record of JSON a line for each
// test that ends goes to lines-<pid>-<thread>.jsonl beside this file.
'use strict';

const fs = require('fs');
const path = require('path');
const url = require('url');
const vm = require('vm');

// As they are before any test can replace them.
const { openSync, writeSync, closeSync, readFileSync, existsSync, realpathSync } = fs;
const { parse, stringify } = JSON;

// Nothing but what closes is left of the line: no code begins here.
const ends = (text, at) => {
  for (; at < text.length; at += 1) {
    const char = text[at];
    if (char === '\n') return true;
    if (char === '/') return text[at + 1] === '/' || text[at + 1] === '*';
    if (!' \t\r;,)}]'.includes(char)) return false;
  }
  return true;
};

const starts = (text) => {
  const found = [0];
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) found.push(at + 1);
  return found;
};

// The first of the numbers, which ascend, that is not below.
const search = (numbers, least) => {
  let [low, high] = [0, numbers.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (numbers[middle] < least) low = middle + 1;
    else high = middle;
  }
  return low;
};

// Where code begins on each line, behind what closes: `} else {` runs where its
// other branch does. -1 where there is none.
const codes = (text, lines) => {
  let comment = false;
  return lines.map((start, n) => {
    const end = n + 1 < lines.length ? lines[n + 1] : text.length;
    let at = start;
    while (at < end && ' \t;,)}]'.includes(text[at])) at += 1;
    if (comment || text.startsWith('/*', at)) {
      const closed = text.indexOf('*/', at);
      comment = closed < 0 || closed >= end;
      return -1;
    }
    return ends(text, at) ? -1 : at;
  });
};

// ---------------------------------------------------------------- source maps

const DIGITS = new Map([...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'].map((c, n) => [c, n]));

// Calls with each segment: generated line and column, source, its line and column.
const segments = (mappings, each) => {
  let [line, source, from, column] = [0, 0, 0, 0];
  let generated = 0;
  let fields = [];
  let [value, shift] = [0, 0];
  const flush = () => {
    if (fields.length > 0) generated += fields[0];
    if (fields.length >= 4) {
      source += fields[1];
      from += fields[2];
      column += fields[3];
      each(line, generated, source, from, column);
    }
    fields = [];
  };
  for (const char of mappings) {
    if (char === ',' || char === ';') {
      flush();
      if (char === ';') {
        line += 1;
        generated = 0;
      }
      continue;
    }
    const digit = DIGITS.get(char);
    if (digit === undefined) return;
    value += (digit & 31) << shift;
    shift += 5;
    if (digit & 32) continue;
    fields.push(value & 1 ? -(value >>> 1) : value >>> 1);
    [value, shift] = [0, 0];
  }
  flush();
};

// The map that the text names last, and the folder its sources are relative to.
const mapOf = (text, file) => {
  const last = text.lastIndexOf('sourceMappingURL=');
  if (last < 0) return null;
  const found = /^\/[/*][#@]\s+sourceMappingURL=([^\s'"`]+)/.exec(text.slice(Math.max(0, last - 4)));
  if (!found) return null;
  const data = /^data:application\/json[^,]*?(;base64)?,(.*)$/.exec(found[1]);
  if (data) {
    const json = data[1] ? Buffer.from(data[2], 'base64').toString() : decodeURIComponent(data[2]);
    return { map: parse(json), folder: path.dirname(file) };
  }
  const place = path.resolve(path.dirname(file), decodeURIComponent(found[1]));
  return { map: parse(readFileSync(place, 'utf8')), folder: path.dirname(place) };
};

// What runners put before a module's text, on its first line.
const WRAPPERS = /^(\(\{"Object\.<anonymous>":function\([^)]*\)\{|\(function \(exports, require, module, __filename, __dirname\) \{ |'use strict';async \([^)]*\)=>\{\{)/;

// ---------------------------------------------------------------- the recorder

// `safe` makes of a function one that does nothing when it fails.
const open = (settings, thread, safe) => {
  const { Session } = require('inspector');
  const output = path.join(__dirname, `lines-${process.pid}-${thread}.jsonl`);
  const session = new Session();
  session.connect();
  const ask = (method, params) => {
    let answer;
    session.post(method, params, (error, value) => {
      if (!error) answer = value;
    });
    return answer;
  };
  ask('Profiler.enable');
  // Has blocks until a test ends the counting, which its own coverage would.
  let canary;
  let canaries = 0;
  let ended = false;
  let rounds = 0;
  const count = () => ask('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  const begin = () => {
    count();
    canaries += 1;
    canary = vm.runInThisContext(`(function canary() { return ${canaries}; })`, { filename: 'heal_canary' });
  };
  begin();

  const roots = [...new Set([settings.root, realpathSync(settings.root)])].map((root) => root.replace(/[\\/]$/, '') + path.sep);
  const inside = (file) => {
    for (const root of roots) {
      if (!file.startsWith(root)) continue;
      const shown = file.slice(root.length).split(path.sep).join('/');
      return shown.split('/').includes('node_modules') ? null : shown;
    }
    return null;
  };
  const fileOf = (name) => {
    if (name.startsWith('file://')) return url.fileURLToPath(name.replace(/[?#].*$/, ''));
    return path.isAbsolute(name) ? name.replace(/\?.*$/, '') : null;
  };
  // By URL: the file, where it is one of the repository's.
  const wanted = new Map();
  const fileAt = (name) => {
    let file = wanted.get(name);
    if (file === undefined) {
      file = safe(fileOf)(name) || null;
      if (file !== null && (inside(file) === null || !existsSync(file))) file = null;
      wanted.set(name, file);
    }
    return file;
  };

  // The places of a text, in its order: offset, source, line; and whether the
  // line's code begins there, so that the place speaks for the line.
  const table = (text, file) => {
    const places = { text, at: [], source: [], line: [], first: [], shown: [] };
    const place = (at, source, line, first) => {
      places.at.push(at);
      places.source.push(source);
      places.line.push(line);
      places.first.push(first);
    };
    const lines = starts(text);
    const named = safe(mapOf)(text, file);
    if (named && typeof named.map.mappings === 'string') {
      const { map, folder } = named;
      const sources = map.sources.map((source, n) => {
        source = safe(fileOf)(source) || path.resolve(folder, map.sourceRoot || '', String(source));
        if (!existsSync(source) && map.sources.length === 1) source = file;
        places.shown.push(existsSync(source) ? inside(source) : null);
        const content = (map.sourcesContent && map.sourcesContent[n]) || safe(readFileSync)(source, 'utf8') || '';
        const begins = starts(content);
        return { content, begins, codes: codes(content, begins), least: new Map() };
      });
      const wrapper = WRAPPERS.exec(text);
      const prefix = wrapper ? wrapper[0].length : 0;
      const found = [];
      segments(map.mappings, (line, column, source, from, fromColumn) => {
        const told = sources[source];
        if (!told || places.shown[source] === null || lines[line] === undefined) return;
        const origin = told.begins[from] + fromColumn;
        // What ends a statement may already lie in the range after it.
        if (!(told.codes[from] >= 0) || origin < told.codes[from] || ends(told.content, origin)) return;
        const start = lines[line] + column + (line === 0 ? prefix : 0);
        let at = start;
        while (text[at] === ' ' || text[at] === '\t') at += 1;
        found.push([at, source, from, fromColumn, at > start]);
        const least = told.least.get(from);
        if (least === undefined || fromColumn < least) told.least.set(from, fromColumn);
      });
      found.sort((a, b) => a[0] - b[0]);
      for (const [at, source, from, column, blank] of found) {
        const first = sources[source].least.get(from) === column;
        if (first || !blank) place(at, source, from + 1, first);
      }
      return places;
    }
    const disk = readFileSync(file, 'utf8');
    const code = disk.replace(/^\uFEFF?(#!.*)?/, '').trim();
    const before = (whole) => starts(whole.slice(0, whole.indexOf(code))).length;
    const same = text.includes(code);
    // What was rewritten in place, as types that are left out, keeps its lines.
    const height = (whole) => starts(whole.replace(/\s*(\/\/# source\S*\s*)*$/, '')).length;
    if (!same && height(text) !== height(disk)) return null;
    const shift = same ? before(text) - before(disk) : 0;
    places.shown.push(inside(file));
    places.lines = lines;
    places.shift = shift;
    codes(text, lines).forEach((at, n) => {
      if (n >= shift && at >= 0) place(at, 0, n + 1 - shift, true);
    });
    return places;
  };

  // The text of a script: the file's, where it is as long as that. Else the
  // debugger tells; once on it stays on, for V8 forgets blocks when it goes off.
  const lengths = new Map();
  let debugging = false;
  const textOf = ({ scriptId, url: name }) => {
    const disk = (safe(readFileSync)(fileAt(name), 'utf8') || '').replace(/^\uFEFF/, '');
    if (disk !== '' && lengths.get(scriptId) === disk.length) return disk;
    if (!debugging) {
      debugging = true;
      ask('Debugger.enable');
      ask('Debugger.setSkipAllPauses', { skip: true });
    }
    const source = ask('Debugger.getScriptSource', { scriptId });
    return source ? source.scriptSource : null;
  };

  // Tables by script, and by URL and text: jest loads a module anew for each file.
  const tables = new Map();
  const texts = new Map();
  const tableOf = (script) => {
    const { scriptId, url: name } = script;
    if (!tables.has(scriptId)) {
      const text = textOf(script);
      const known = texts.get(name);
      const places = known && known.text === text ? known.places : (text !== null && safe(table)(text, fileAt(name))) || null;
      texts.set(name, { text, places });
      tables.set(scriptId, places);
    }
    return tables.get(scriptId);
  };

  // Adds the lines that ran of a script: those whose code begins in a range that
  // ran, and those on which one begins.
  const add = ({ text, at, source, line, first, shown, lines, shift }, functions, files) => {
    const ranges = [];
    for (const each of functions) ranges.push(...each.ranges);
    if (!ranges.some((range) => range.count > 0)) return;
    ranges.sort((a, b) => a.startOffset - b.startOffset || b.endOffset - a.endOffset);
    const sets = shown.map((name) => {
      if (name === null) return null;
      if (!files.has(name)) files.set(name, new Set());
      return files.get(name);
    });
    const around = [];
    let next = 0;
    // The range that began last and waits for its first place.
    let begun = null;
    for (let n = 0; n < at.length; n += 1) {
      // Nothing around: on to the next range.
      if (around.length === 0) {
        if (next === ranges.length) break;
        n = Math.max(n, search(at, ranges[next].startOffset));
        if (n === at.length) break;
      }
      for (; next < ranges.length && ranges[next].startOffset <= at[n]; next += 1) {
        begun = ranges[next];
        around.push(begun);
      }
      while (around.length > 0 && around[around.length - 1].endOffset <= at[n]) around.pop();
      const ran = around.length > 0 && around[around.length - 1].count > 0;
      if (ran && (first[n] || around[around.length - 1] === begun)) sets[source[n]].add(line[n]);
      begun = null;
    }
    if (!lines) return;
    for (const { startOffset, count } of ranges) {
      if (count === 0 || startOffset === 0 || ends(text, startOffset)) continue;
      const row = search(lines, startOffset + 1) - 1;
      if (row >= shift) sets[0].add(row + 1 - shift);
    }
  };

  // The tests that run now, each with its lines by file.
  const running = new Map();
  // What ran of the repository's scripts since it was asked last.
  const taken = () => {
    canary();
    const answer = ask('Profiler.takePreciseCoverage');
    if (!answer) return [];
    const heard = answer.result.find((script) => script.url === 'heal_canary');
    if (ended) {
      count();
    } else if (!heard || !heard.functions.some((each) => each.isBlockCoverage)) {
      ended = true;
      count();
      running.clear();
      return [];
    }
    const scripts = answer.result.filter((script) => script.url && fileAt(script.url) !== null);
    for (const { scriptId, functions } of scripts) {
      // A script's first run covers it from end to end.
      if (!lengths.has(scriptId)) lengths.set(scriptId, functions[0].ranges[0].startOffset === 0 ? functions[0].ranges[0].endOffset : 0);
    }
    return scripts;
  };

  const give = () => {
    const scripts = taken();
    if (running.size === 0) return;
    for (const script of scripts) {
      const places = tableOf(script);
      if (places) for (const files of running.values()) add(places, script.functions, files);
    }
  };
  const write = (record) => {
    const file = openSync(output, 'a');
    try {
      writeSync(file, stringify(record) + '\n');
    } finally {
      closeSync(file);
    }
  };
  return {
    // Straight: nothing ran since the last test's end.
    start: safe((test, straight) => {
      if (!straight) give();
      running.set(test, new Map());
    }),
    end: safe((test, file, title) => {
      const lines = running.get(test);
      if (!lines) return;
      try {
        give();
      } finally {
        running.delete(test);
      }
      const files = {};
      for (const [shown, set] of lines) if (set.size > 0) files[shown] = [...set].sort((a, b) => a - b);
      if (Object.keys(files).length > 0) write({ nonce: settings.nonce, file, title, files });
    }),
    // All that is loaded from here on is new: what was before need not be counted,
    // which would also keep it in memory. Takes as long as a few answers.
    renew: safe(() => {
      rounds += 1;
      if (rounds % 4 !== 0) return;
      ask('Profiler.stopPreciseCoverage');
      running.clear();
      ended = false;
      begin();
    }),
    drop: safe((test) => {
      running.delete(test);
    }),
  };
};

module.exports = open;
