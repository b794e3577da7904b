// script.js - what node takes from malloc, from two worker threads and its own.
//
//	node script.js JOBS
//
// 1. V8 keeps JavaScript objects in a heap of its own, so the work is that of
//    native memory: Buffers, zlib, hashes, ICU objects, parsed functions and
//    compiled expressions.
// 2. Jobs are dealt to the workers beforehand, so that each of the three
//    heaps sees the same in every run; what is printed is known beforehand
//    (bench/suite/truths.py).
// 3. The third step hands Buffers from the workers to the main thread, which
//    drops them: memory that another thread frees.
'use strict';
const { Worker, isMainThread, parentPort, workerData } =
	require('worker_threads');
const crypto = require('crypto');
const zlib = require('zlib');
const WORKERS = 2;
const LIVE = 500;

// Sizes from 0 to 16 KiB, most of them small; one in 64 a hundredfold.
function sizeOf(state)
{
	const size = (state >> 8) % (state & 1 ? 16384 : 1024);
	return (state >> 20) % 64 ? size : size * 100;
}

function churnBuffers(steps)
{
	const live = [];
	let state = 42;
	for (let i = 0; i < steps; i++) {
		state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
		const b = Buffer.allocUnsafeSlow(sizeOf(state));
		b.fill(state & 255);
		live[(state >> 14) % LIVE] = b;
	}
	return live.reduce((sum, b) => sum + b.length, 0);
}

function squeeze(rounds)
{
	let bytes = 0;
	for (let i = 0; i < rounds; i++) {
		const text = Buffer.from(('line ' + i + '\n').repeat(200));
		const packed = zlib.deflateSync(text);
		bytes += zlib.inflateSync(packed).length;
	}
	return bytes;
}

function hashes(rounds)
{
	let last = Buffer.alloc(32);
	for (let i = 0; i < rounds; i++)
		last = crypto.createHash('sha256').update(last).digest();
	return last.toString('hex');
}

function compileAll(rounds)
{
	let sum = 0;
	for (let i = 0; i < rounds; i++) {
		const f = new Function('a', `let t = 0;` +
			`for (const x of [${i}, 1, 2]) { t += a * x; }` +
			`return { t, u: /a${i}(b|c)*d{2,5}[e-g]+/.test(` +
			`'xa${i}bcbcddeg') };`);
		const result = f(1);
		sum += result.t + (result.u ? 1 : 0);
	}
	return sum;
}

function numberFormats(rounds)
{
	let length = 0;
	for (let i = 0; i < rounds; i++)
		length += new Intl.NumberFormat('en-US').format(1000 + i).length;
	return length;
}

function work(jobs)
{
	return {
		buffers: churnBuffers(jobs * 100),
		squeeze: squeeze(jobs * 4),
		hashes: hashes(jobs * 40),
		compiled: compileAll(jobs * 10),
		formats: numberFormats(jobs * 2),
	};
}

function print(who, done)
{
	for (const key of Object.keys(done))
		console.log(who, key, done[key]);
}

function startWorker(id, jobs)
{
	return new Promise((resolve, reject) => {
		const worker = new Worker(__filename, { workerData: { jobs } });
		let received = 0;
		worker.on('error', reject);
		worker.on('message', m => {
			if (m.array)
				received += m.array.reduce((a, b) => a + b);
			else
				resolve(() => {
					print('worker' + id, m);
					console.log('worker' + id, 'handed',
						received);
				});
		});
	});
}

async function main()
{
	const jobs = Number(process.argv[2]);
	const workers = [];
	for (let id = 0; id < WORKERS; id++)
		workers.push(startWorker(id, jobs));
	const results = await Promise.all(workers);
	print('main', work(jobs >> 1));
	results.forEach(show => show());
}

if (isMainThread) {
	main();
} else {
	for (let i = 0; i < workerData.jobs; i++) {
		const array = new Uint8Array(64 << (i % 12)).fill(i % 7);
		parentPort.postMessage({ array }, [array.buffer]);
	}
	parentPort.postMessage(work(workerData.jobs));
}
