<?php
// SPDX-License-Identifier: Apache-2.0
namespace App\Controller;

use Symfony\Bundle\FrameworkBundle\Controller\AbstractController;
use Symfony\Component\HttpFoundation\Cookie;
use Symfony\Component\HttpFoundation\Request;
use Symfony\Component\HttpFoundation\Response;

// Pages: Twig, routes with parameters, a form, a session, redirects.
class ShopController extends AbstractController
{
    public function home(): Response
    {
        return $this->render('home.html.twig', ['items' => range(1, 30)]);
    }

    public function item(Request $request, int $id, string $name): Response
    {
        if ($id > 100) {
            throw $this->createNotFoundException('no such item');
        }

        return $this->render('item.html.twig', ['id' => $id, 'name' => $name, 'query' => $request->query->all()]);
    }

    public function anything(Request $request, string $rest): Response
    {
        return new Response(json_encode([$rest, $request->getPathInfo(), $request->getBaseUrl(), $request->getUri()]),
            200, ['Content-Type' => 'text/plain']);
    }

    public function order(Request $request): Response
    {
        if ($request->isMethod('POST')) {
            $session = $request->getSession();
            $session->set('cart', [...$session->get('cart', []), $request->request->get('thing')]);
            $this->addFlash('notice', 'Ordered: ' . $request->request->get('thing'));
            $response = $this->redirectToRoute('cart', [], Response::HTTP_SEE_OTHER);
            $response->headers->setCookie(Cookie::create('last', $request->request->get('thing'), new \DateTime('2040-01-01')));
            $response->headers->setCookie(Cookie::create('plain', '1')->withHttpOnly(false));

            return $response;
        }

        return $this->render('order.html.twig');
    }

    public function cart(Request $request): Response
    {
        return $this->render('cart.html.twig', ['cart' => $request->getSession()->get('cart', []),
            'last' => $request->cookies->get('last')]);
    }

    public function logout(Request $request): Response
    {
        $request->getSession()->invalidate();

        return $this->redirect('/');
    }

    public function old(): Response
    {
        return $this->redirectToRoute('item', ['id' => 7, 'name' => 'ä b', 'from' => 'old'], 301);
    }

    public function subrequest(): Response
    {
        return $this->render('subrequest.html.twig');
    }

    public function fragment(Request $request): Response
    {
        return new Response('fragment of ' . $request->getPathInfo());
    }
}
