#!/bin/bash
# node - worker threads, buffers, JSON, crypto, compression, strings, streams.
. "$(dirname "$0")/common"
needs node

cat >"$input/work.js" <<'END'
'use strict';
const { Worker, isMainThread, parentPort, workerData } =
	require('worker_threads');
const crypto = require('crypto');
const zlib = require('zlib');

function* random(seed) {
	for (;;) {
		seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
		yield seed;
	}
}

function buffers(n, seed) {
	const r = random(seed);
	const hash = crypto.createHash('sha256');
	const live = [];
	for (let i = 0; i < n; i++) {
		const size = r.next().value % (i % 100 ? 4000 : 400000);
		live[r.next().value % 200] = Buffer.alloc(size, i & 255);
		const b = live[r.next().value % 200];
		if (b)
			hash.update(b.subarray(0, 64));
	}
	return hash.digest('hex');
}

function json(n) {
	let o = {};
	for (let i = 0; i < n; i++)
		o['key' + (i * 7919) % n] = { i, s: 'x'.repeat(i % 50),
			a: [i, [i + 1, { deep: `${i}` }]] };
	for (let i = 0; i < 3; i++)
		o = JSON.parse(JSON.stringify(o, null, i));
	return JSON.stringify(o).length;
}

if (isMainThread) {
	(async () => {
		console.log('json', json(30000));
		console.log('buffers', buffers(20000, 1));
		const jobs = [];
		for (let round = 0; round < 3; round++)
			for (let id = 0; id < 4; id++)
				jobs.push(new Promise((done, failed) => {
					const w = new Worker(__filename,
						{ workerData: { id, round } });
					w.on('message', done);
					w.on('error', failed);
				}));
		// An ArrayBuffer that was allocated in a worker dies here.
		for (const m of await Promise.all(jobs))
			console.log('worker', m.id, m.json, m.digest,
				new Uint32Array(m.array).reduce((a, b) => a + b));
		const text = Buffer.from(Array.from({ length: 100000 },
			(_, i) => i.toString(36)).join(' '));
		for (const level of [1, 6, 9]) {
			const z = zlib.gzipSync(text, { level });
			console.log('gzip', level, z.length,
				zlib.gunzipSync(z).equals(text));
		}
		const z = zlib.brotliCompressSync(text,
			{ params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 5 } });
		console.log('brotli', zlib.brotliDecompressSync(z).equals(text));
		const keys = await Promise.all([1, 2, 3, 4, 5, 6, 7, 8].map(
			i => new Promise((done, failed) => crypto.scrypt('secret',
				'salt' + i, 32, { N: 4096 },
				(e, k) => e ? failed(e) : done(k)))));
		console.log('scrypt', Buffer.concat(keys).toString('base64'));
		const cipher = crypto.createCipheriv('aes-256-gcm',
			Buffer.alloc(32, 1), Buffer.alloc(12, 2));
		const sealed = Buffer.concat([cipher.update(text),
			cipher.final(), cipher.getAuthTag()]);
		console.log('cipher', crypto.createHash('sha512').update(sealed)
			.digest('base64'));
		console.log('regex', (text.toString().match(/\b[a-m]+\w*[n-z]\b/g)
			|| []).length);
		let s = 0;
		for (let i = 0; i < 64; i++)
			s += new Uint8Array(1 << (10 + i % 15)).length;
		console.log('arrays', s, typeof structuredClone(new Map([[1, 2]])));
	})();
} else {
	const { id, round } = workerData;
	const array = new ArrayBuffer(4 * 100000);
	new Uint32Array(array).fill(id * 10 + round);
	parentPort.postMessage({ id, array, json: json(2000 + id),
		digest: buffers(3000, id + round) }, [array]);
}
END

workload()
{
	node "$input/work.js"
	echo 'console.log(new Array(5).fill(7).join())' | node -
	node -e 'process.exit(9)' || echo "status $?"
}

compare_runs
check_served node -e 1
finish
