<?php
// A chat room: one event of a socket per request.  `php -S 127.0.0.1:8090 event.php` has every request come here.

// Without a php.ini PHP would write what goes wrong into the answer, whose status could not be another one any more than 200.
ini_set('display_errors', '0');
set_exception_handler(function (Throwable $error): void {
    error_log("{$error->getMessage()} ({$error->getFile()}:{$error->getLine()})");
    http_response_code(500);
});

require 'Bridge.php';
require 'Room.php';

$token = getenv('WS2HTTP_TOKEN') ?: '';
if (!hash_equals("Bearer $token", $_SERVER['HTTP_AUTHORIZATION'] ?? 'Bearer ')) {
    http_response_code(401);
    exit;
}
if (!preg_match('~^[^?%]*/socket$~D', $_POST['uri'] ?? '')) {
    http_response_code(404); // A query, or another way to write it, would make another room of it.
    exit;
}
Room::hear(
    (getenv('ROOM_FOLDER') ?: sys_get_temp_dir()) . '/room.json',
    new Bridge(getenv('WS2HTTP_URL') ?: 'http://127.0.0.1:6780/', $token),
    $_POST,
);
