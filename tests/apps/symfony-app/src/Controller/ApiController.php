<?php
// SPDX-License-Identifier: Apache-2.0
namespace App\Controller;

use Symfony\Bundle\FrameworkBundle\Controller\AbstractController;
use Symfony\Component\HttpFoundation\JsonResponse;
use Symfony\Component\HttpFoundation\Request;
use Symfony\Component\HttpFoundation\Response;

// Answers for programs: JSON, methods, conditions, failures, and what the framework makes of the request.
class ApiController extends AbstractController
{
    public function items(): Response
    {
        return $this->json(array_map(fn ($id) => ['id' => $id, 'price' => $id / 10], range(1, 50)), 200, ['X-Total' => '50']);
    }

    public function item(Request $request, int $id): Response
    {
        if ($request->isMethod('DELETE')) {
            return new Response('', 204);
        }
        if ($request->isMethod('GET')) {
            return new JsonResponse(['id' => $id]);
        }

        return new JsonResponse(['id' => $id, 'method' => $request->getMethod(), 'type' => $request->getContentType(),
            'body' => $request->toArray()], 202);
    }

    public function request(Request $request): Response
    {
        $names = $request->headers->keys();
        sort($names);

        return new JsonResponse(['host' => $request->getHttpHost(), 'port' => $request->getPort(), 'scheme' => $request->getScheme(),
            'secure' => $request->isSecure(), 'method' => $request->getMethod(), 'ip' => $request->getClientIps(),
            'script' => $request->getScriptName(), 'path' => $request->getPathInfo(), 'query' => $request->getQueryString(),
            'uri' => $request->getUri(), 'user' => $request->getUser(), 'password' => $request->getPassword(),
            'languages' => $request->getLanguages(), 'charsets' => $request->getCharsets(), 'etags' => $request->getETags(),
            'accept' => $request->getAcceptableContentTypes(), 'ajax' => $request->isXmlHttpRequest(),
            'headers' => $names, 'env' => [$_SERVER['APP_ENV'], $_ENV['APP_ENV'] ?? null, getenv('APP_ENV')]]);
    }

    public function conditional(Request $request): Response
    {
        $response = new Response('', 200, ['Content-Type' => 'text/plain']);
        $response->setEtag('v1')->setPublic()->setMaxAge(60)->setSharedMaxAge(120)->setVary(['Accept', 'Cookie']);
        $response->setLastModified(new \DateTime('2020-01-01 00:00:00 UTC'));
        if (!$response->isNotModified($request)) {
            $response->setContent('fresh');
        }

        return $response;
    }

    public function fails(): Response
    {
        throw new \LogicException('on purpose');
    }
}
