// node:http with the shared routes: node.js PORT ACCESS_LOG
const http = require('http');
const fs = require('fs');
const [port, logPath] = process.argv.slice(2);
const log = fs.openSync(logPath, 'a');
http.createServer((request, response) => {
  let size = 0;
  request.on('data', (chunk) => { size += chunk.length; });
  request.on('end', () => {
    const answer = () => {
      const status = request.url === '/missing' ? 404 : 200;
      const body = request.url === '/large' ? 'y'.repeat(200000) : `${request.method} ${size}\n`;
      const sent = request.method === 'HEAD' ? 0 : body.length;
      fs.writeSync(log, `${request.method} ${request.url} ${status} ${sent}\n`);
      response.writeHead(status);
      // In two parts, so that the answer is chunked.
      if (sent) response.write(body.slice(0, 3));
      response.end(sent ? body.slice(3) : undefined);
    };
    if (request.url.startsWith('/slow')) setTimeout(answer, 60); else answer();
  });
}).listen(Number(port), '127.0.0.1');
