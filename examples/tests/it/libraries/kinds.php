<?php
// Answers each request with one reply of each kind: php kinds.php REQUESTS_FROM REPLIES_TO LIBRARY

declare(strict_types=1);

[, $requestsFrom, $repliesTo, $library] = $argv;
require $library;

$connection = new Mongrel2\Connection($requestsFrom, $repliesTo);
$bytes = implode('', array_map(chr(...), range(0, 255)));

foreach ($connection->requests() as $request) {
    $server = $request->server;
    if ($request->isDisconnect()) {
        $connection->deliverJson($server, range(0, 299), 'gone');
        continue;
    }
    $connection->reply($request, $bytes);
    $connection->reply($request, $request->body);
    $connection->replyJson($request, [$request->path, $request->header('cookie'), $request->data]);
    $connection->replyHttp($request, 'é', 404, ['X-A' => 1]);
    $connection->replyWebSocket($request, 'é');
    $connection->replyWebSocket($request, $bytes);
    $connection->replyWebSocket($request, 'ping', Mongrel2\Response::PING);
    if ($request->body === 'key') {
        $connection->acceptWebSocket($request, 'chat');
    }
    $connection->keepAlive($request);
    $connection->credits($request, 4096);
    $connection->cancel($request);
    $connection->sendFile($request, 'film.mp4');
    $connection->deliverHttp($server, [1, '2'], 'x', 304);
    $connection->deliverWebSocket($server, [3], 'x');
    $connection->deliverClose($server, [4]);
    try {
        $connection->replyHttp($request, '', headers: ['X-A' => "1\r\nX-B: 2"]);
    } catch (InvalidArgumentException) {
        $connection->close($request);
    }
}
