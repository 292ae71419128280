<?php
// SPDX-License-Identifier: Apache-2.0
namespace App\Controller;

use Symfony\Bundle\FrameworkBundle\Controller\AbstractController;
use Symfony\Component\HttpFoundation\BinaryFileResponse;
use Symfony\Component\HttpFoundation\Request;
use Symfony\Component\HttpFoundation\Response;
use Symfony\Component\HttpFoundation\ResponseHeaderBag;
use Symfony\Component\HttpFoundation\StreamedResponse;

// Files in both directions, and a response that comes in pieces.
class FileController extends AbstractController
{
    public function pieces(): Response
    {
        return new StreamedResponse(function () {
            for ($i = 0; $i < 20; ++$i) {
                echo "piece $i\n";
                ob_get_level() && ob_flush();
                flush();
            }
        }, 200, ['Content-Type' => 'text/plain', 'X-Accel-Buffering' => 'no']);
    }

    public function upload(Request $request): Response
    {
        if ($request->isMethod('GET')) {
            return $this->render('upload.html.twig');
        }
        $lines = [];
        foreach ($request->files->all('files') as $file) {
            $line = [$file->getClientOriginalName(), $file->getClientMimeType(), $file->isValid(), $file->getError()];
            if ($file->isValid()) {
                $line[] = $file->getSize();
                $moved = $file->move($this->folder(), basename($file->getClientOriginalName()));
                $line[] = sha1_file($moved->getPathname());
            }
            $lines[] = $line;
        }

        return $this->json(['title' => $request->request->get('title'), 'files' => $lines]);
    }

    public function download(Request $request, string $name): Response
    {
        $response = new BinaryFileResponse($this->folder() . '/' . basename($name), 200, ['Content-Type' => 'application/x-test']);
        $response->setContentDisposition(ResponseHeaderBag::DISPOSITION_ATTACHMENT, 'größe.bin', 'groesse.bin');
        $response->headers->set('X-Own', 'kept');

        return $response;
    }

    private function folder(): string
    {
        return $this->getParameter('kernel.project_dir') . '/var/files';
    }
}
