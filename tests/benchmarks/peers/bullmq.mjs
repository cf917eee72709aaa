// BullMQ on Redis with its defaults: `node bullmq.mjs worker`, or the same deeds as client.py has.
import fs from 'node:fs'
import { createRequire } from 'node:module'

const { Queue, Worker } = createRequire(`${process.env.BENCH_MODULES}/`)('bullmq')
const url = new URL(process.env.REDIS_URL)
const connection = {
  host: url.hostname,
  port: Number(url.port),
  db: Number(url.pathname.slice(1)),
  maxRetriesPerRequest: null,
}
const sleep = (ms) => new Promise((done) => setTimeout(done, ms))
const nanoseconds = () => process.hrtime.bigint()
const now = () => Number(nanoseconds()) / 1e9
// As text: a number of JavaScript cannot hold so many nanoseconds.
const data = (asked, seconds) => ({ asked_ns: String(asked), seconds, padding: 'x'.repeat(220) })
const file = fs.openSync(process.env.BENCH_RECORD, 'a')
const record = (asked, mark) => fs.writeSync(file, `${asked} ${nanoseconds()} ${mark}\n`)
const deed = process.argv[2]
const [number, batch] = process.argv.slice(3).map(Number)

if (deed === 'worker') {
  const run = async ({ data }) => {
    record(data.asked_ns, 'begun')
    if (data.seconds) {
      await sleep(data.seconds * 1000)
      record(data.asked_ns, 'ended')
    }
  }
  const worker = new Worker('bench', run, { connection, concurrency: 100 })
  worker.on('error', (error) => console.error(error.message))
} else {
  const queue = new Queue('bench', { connection })
  await queue.waitUntilReady()
  const opts = { removeOnComplete: true }
  const add = (asked, seconds) => queue.add('noop', data(asked, seconds), opts)
  const began = now()
  let result = number
  if (deed === 'one_by_one') {
    let asked = 0
    while (now() - began < number) { await add(nanoseconds(), 0); asked += 1 }
    result = asked / (now() - began)
  } else if (deed === 'in_bulk') {
    for (let done = 0; done < number; done += batch) {
      const asked = nanoseconds()
      await queue.addBulk(Array.from({ length: batch }, () => ({ name: 'noop', data: data(asked, 0), opts })))
    }
    result = number / (now() - began)
  } else if (deed === 'steadily') {
    for (let each = 0; each < number; each += 1) {
      await sleep(Math.max(0, (began + each / 50 - now()) * 1000))
      const asked = nanoseconds()
      await add(asked, 0)
      record(asked, 'answered')
    }
  } else {
    for (let each = 0; each < number; each += 1) await add(each, 1.5)
  }
  console.log(result)
  await queue.close()
}
