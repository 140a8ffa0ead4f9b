// What k6, a load tester written in Go, makes of the server; tests/runtime/server/test_k6.py runs it.
// Environment: GRPC and HTTP are the addresses, PROTO the directory of the .proto files, IMAGE a red image as base64.
import { check } from 'k6';
import encoding from 'k6/encoding';
import http from 'k6/http';
import { Counter } from 'k6/metrics';
import grpc from 'k6/net/grpc';

const PIXELS = [...Array(16).fill(1), ...Array(32).fill(0)];
const BASE = `http://${__ENV.HTTP}`;
const INFER = 'inference.GRPCInferenceService/ModelInfer';

const described = new grpc.Client();
described.load([__ENV.PROTO], 'tundish_proto/open_inference.proto', 'tundish_proto/v1/inference.proto');
const reflected = new grpc.Client();

// An error in the script ends its iteration, and is no failure to k6.
const finished = new Counter('finished');
const ITERATIONS = 40;

// Some at once, so that requests share batches.
export const options = {
  vus: 4,
  iterations: ITERATIONS,
  thresholds: { checks: ['rate==1'], finished: [`count==${ITERATIONS}`] },
};

export default function () {
  described.connect(__ENV.GRPC, { plaintext: true });
  overGrpc(described, 'from the .proto files');
  described.close();
  reflected.connect(__ENV.GRPC, { plaintext: true, reflect: true });
  overGrpc(reflected, 'by reflection');
  check(reflected.invoke('grpc.health.v1.Health/Check', {}), { 'healthy': (r) => r.message.status === 'SERVING' });
  reflected.close();
  overHttp();
  finished.add(1);
}

function overGrpc(client, how) {
  const ask = (method, request, params) => client.invoke(method, request, params);
  const expect = (what, response, holds) =>
    check(response, { [`${what}, ${how}`]: (r) => r.status === grpc.StatusOK && holds(r.message) });

  expect('live', ask('inference.GRPCInferenceService/ServerLive', {}), (m) => m.live);
  expect('metadata', ask('inference.GRPCInferenceService/ModelMetadata', { name: 'colors.engine' }), (m) =>
    m.inputs[0].name === 'pixel_values' && m.inputs[0].shape.join() === '-1,3,4,4');
  expect('tensors', ask(INFER, tensors({ id: '7' })), (m) => m.id === '7' && floats(m.rawOutputContents[0]) === '10,0,0');
  expect('an image', ask('tundish_proto.v1.InferenceService/Predict', { model_name: 'colors', image: __ENV.IMAGE }), (m) =>
    m.imageClassification.labels[0].name === 'red');

  const nobody = ask(INFER, { ...tensors({}), model_name: 'nobody' });
  check(nobody, { [`no such model, ${how}`]: (r) => r.status === grpc.StatusNotFound && r.error.message.includes('nobody') });
  const wrong = ask(INFER, tensors({ parameters: { timeout: { string_param: '1' } } }));
  check(wrong, { [`a wrong parameter, ${how}`]: (r) => r.status === grpc.StatusInvalidArgument });
}

function tensors(more) {
  const input = { name: 'pixel_values', datatype: 'FP32', shape: [1, 3, 4, 4], contents: { fp32_contents: PIXELS } };
  return { model_name: 'colors.engine', inputs: [input], ...more };
}

function floats(base64) {
  return new Float32Array(encoding.b64decode(base64)).join();
}

function overHttp() {
  const json = { headers: { 'Content-Type': 'application/json' } };
  const post = (path, body, params) => http.post(BASE + path, body, params);
  const infer = '/v2/models/colors.engine/infer';
  const input = { name: 'pixel_values', datatype: 'FP32', shape: [1, 3, 4, 4], data: PIXELS };

  check(http.get(`${BASE}/v2/health/live`), { 'live, over HTTP': (r) => r.status === 200 });
  check(http.get(`${BASE}/v2/health/ready`), { 'ready, over HTTP': (r) => r.status === 200 });
  check(http.get(`${BASE}/v2`), { 'server metadata': (r) => r.json('name') === 'tundish' });
  check(http.get(`${BASE}/v2/models/colors`), { 'model metadata': (r) => r.json('inputs.0.datatype') === 'BYTES' });
  check(post(infer, JSON.stringify({ id: '7', inputs: [input] }), json), {
    'tensors as JSON': (r) => r.status === 200 && r.json('id') === '7' && r.json('outputs.0.data').join() === '10,0,0',
  });
  const packed = { headers: { ...json.headers, 'Accept-Encoding': 'gzip' }, compression: 'gzip' };
  check(post(infer, JSON.stringify({ inputs: [input] }), packed), {
    'tensors compressed': (r) => r.status === 200 && r.json('outputs.0.data.0') === 10,
  });
  const alone = { headers: { 'Inference-Header-Content-Length': '0' } };
  check(post('/v2/models/colors/infer', encoding.b64decode(__ENV.IMAGE), alone), {
    'an image alone': (r) => r.status === 200 && r.json('outputs.0.data.0') === 'red',
  });
  check(post(infer, '{', json), { 'no JSON': (r) => r.status === 400 && r.json('error') !== undefined });
  check(http.get(`${BASE}/v2/models/nobody`), { 'no such model, over HTTP': (r) => r.status === 404 });
  check(http.get(`${BASE}/metrics`), {
    'metrics': (r) => r.status === 200 && /^tundish_\w+\{.*model="colors/m.test(r.body),
  });
}
